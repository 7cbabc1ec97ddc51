"""What `analyse` prints of results/fits.json: a line for every claim, for every law of a table, and how many laws are not identifiable."""

from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ("loss_vs_size", "loss_vs_size_and_data", "loss_vs_position")


def claims_in_words(fits: Mapping[str, Any]) -> list[str]:
    """``supported: At 222,000 body parameters, ...``"""
    return [f"{claim['verdict']}: {claim['claim']}" for claim in fits["claims"]]


def laws_in_words(fits: Mapping[str, Any]) -> list[str]:
    """``all rows: E + A*N^-alpha: e 1.69 (1.62 to 1.75), ...``, then what is known of crossovers."""
    lines = []
    for law in _laws(fits):
        found = law["reason"] if _all_unknown(law) else ", ".join(_in_words(name, param) for name, param in law["params"].items())
        lines.append(f"{law['label']}: {law['form']}: {found}")
    return lines + [crossover["sentence"] for crossover in fits["crossovers"]]


def unidentified_in_words(fits: Mapping[str, Any]) -> str:
    """``3 of 44 laws have parameters that are not identifiable (the reasons are in results/fits.json)``"""
    laws = _laws(fits)
    unknown = sum(any(param["value"] is None for param in law["params"].values()) for law in laws)
    if not unknown:
        return f"every parameter of every law is identifiable ({len(laws)} in all)"
    return f"{unknown} of {len(laws)} laws have parameters that are not identifiable; the reasons are in results/fits.json and the report"


def _laws(fits: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [law for kind in KINDS for law in fits[kind]]


def _all_unknown(law: Mapping[str, Any]) -> bool:
    return all(param["value"] is None for param in law["params"].values())


def _in_words(name: str, param: Mapping[str, Any]) -> str:
    if param["value"] is None:
        return f"{name} not identifiable"
    if param["low"] is None:
        return f"{name} {param['value']:.4g}"
    return f"{name} {param['value']:.4g} ({param['low']:.4g} to {param['high']:.4g})"
