"""The metric's app: what it shows is what the metric returns, errors are the metric's sentences, and it starts with gradio 6 offline."""

import ast
import importlib.metadata
import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
OFFLINE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def app(evaluate_offline: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        from hf_ctxscale.metrics.per_position_loss import app

        yield app


@pytest.fixture(scope="module")
def example(app: Any) -> str:
    return app.example_csv()


def as_csv(losses: np.ndarray, ids: list[str] | None = None) -> str:
    rows = [[f"{loss:.6f}" for loss in row] for row in losses]
    return "\n".join(",".join([*([ids[number]] if ids else []), *row]) for number, row in enumerate(rows))


def table(rows: list[list[str]]) -> dict[str, list[str]]:
    return {name: rest for name, *rest in rows}


def test_the_page_is_built_without_being_launched(app: Any, example: str) -> None:
    blocks = app.build_app()
    values = {component.label: component.value for component in blocks.blocks.values() if hasattr(component, "value")}
    assert values["Losses, pasted"] == example
    assert values["Confidence of the intervals"] == 0.95


def test_what_is_shown_is_what_the_metric_returns(app: Any, metric: Any, losses: np.ndarray) -> None:
    ids = [f"doc-{block % 21}" for block in range(40)]
    summary, rows, figure, bin_rows, results = app.compute(as_csv(losses, ids), None, 0.9)
    expected = metric.compute(predictions=losses.round(6), document_ids=ids, confidence=0.9)
    assert results == expected
    low, value, high = (f"{expected[f'mean_loss_nats{end}']:.3f}" for end in ("_low", "", "_high"))
    assert table(rows)["Mean loss (nats per token)"] == [value, f"{low} to {high}"]
    assert table(rows)["In-context score (nats)"] == ["none", "needs a context of 512 tokens or more; this one has 256"]
    assert summary == (f"40 blocks of 256 losses, 21 documents. **Mean loss {value} nats per token** (90 % interval {low} to {high}).")
    assert [row[1] for row in bin_rows] == [f"{loss:.3f}" for loss in expected["bin_loss_nats"]]
    (line,), (band,) = figure.axes[0].lines, figure.axes[0].collections
    np.testing.assert_array_equal(line.get_ydata(), expected["bin_loss_nats"])
    np.testing.assert_allclose(
        sorted(set(band.get_paths()[0].vertices[:, 1])), sorted({*expected["bin_loss_nats_low"], *expected["bin_loss_nats_high"]})
    )


def test_the_example_shows_every_measure_but_bits_per_byte(app: Any, example: str) -> None:
    summary, rows, *_ = app.compute(example, None, 0.95)
    assert {name for name, (value, _) in table(rows).items() if value == "none"} == {"Bits per byte"}
    assert "not to be relied on" not in summary


def test_few_documents_are_said_to_be_few(app: Any, losses: np.ndarray, ids: list[str]) -> None:
    summary = app.compute(as_csv(losses, ids), None, 0.95)[0]
    assert summary.endswith("An interval from fewer than 20 documents is not to be relied on.")


@pytest.mark.parametrize("shape", [(1, 1), (3, 256)])
def test_without_ids_there_is_a_curve_without_a_band(app: Any, losses: np.ndarray, shape: tuple[int, int]) -> None:
    summary, rows, figure, bin_rows, _ = app.compute(as_csv(losses[: shape[0], : shape[1]]), None, 0.95)
    assert summary.endswith("(no document_ids were given: no interval is possible).")
    assert table(rows)["Mean loss (nats per token)"][1] == "no document_ids were given: no interval is possible"
    assert not figure.axes[0].collections
    assert {row[2] for row in bin_rows} == {"none"}
    figure.canvas.draw()


def test_an_uploaded_file_is_used_instead_of_the_text(app: Any, tmp_path: Path, example: str) -> None:
    path = tmp_path / "losses.json"
    path.write_text(json.dumps({"predictions": [[2.0, 1.0]], "num_bytes": [[4, 2]]}))
    results = app.compute(example, str(path), 0.95)[-1]
    assert results["loss_nats"] == [2.0, 1.0]
    assert results["bits_per_byte"] == pytest.approx(3 / np.log(2) / 6)


@pytest.mark.parametrize(
    ("text", "confidence", "sentence"),
    [
        ("a,3.5,nan\nb,4.0,1.25", 0.95, "predictions[0] at context position 2 is nan; look for an overflow in the logits "),
        ("a,3.5,2.0\nb,4.0", 0.95, "predictions[1] has length 1, predictions[0] has length 2; every row needs the same. "),
        ("a,3.5,2.0", 95, "confidence is 95; give a number between 0 and 1, such as 0.95 for 95 % intervals."),
        ("a,3.5,2.0", None, "confidence is None; give a number between 0 and 1, such as 0.95 for 95 % intervals."),
        ("", 0.95, "there are no losses; paste a line of losses for each block of text, or upload a CSV or JSON file."),
        # The page shows errors as HTML.
        ("a,<b>,2.0", 0.95, "line 1, column 2 holds '&lt;b&gt;'; a loss is a number "),
    ],
)
def test_an_error_is_the_metrics_sentence(app: Any, text: str, confidence: Any, sentence: str) -> None:
    import gradio

    with pytest.raises(gradio.Error) as caught:
        app.compute(text, None, confidence)
    assert caught.value.message.startswith(sentence)


def test_the_requirements_are_what_the_app_imports_with_the_packages_bounds(metric_folder: Path) -> None:
    lines = [line for line in (metric_folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(lines) <= {*project["dependencies"], *project["optional-dependencies"]["train"]}
    distributions = importlib.metadata.packages_distributions()
    imported = imported_from_elsewhere(metric_folder / "app.py", metric_folder / "per_position_loss.py")
    needed = {distributions[name][0] for name in imported if name in distributions} - {"gradio"}
    assert {re.split(r"[>=]", line)[0] for line in lines} == needed >= {"evaluate", "numpy", "pyarrow"}


def imported_from_elsewhere(*files: Path) -> set[str]:
    """Top names of what these files import, and the package's own files that they lead to."""
    seen, waiting, names = set(), list(files), set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                waiting.append(path.with_name(f"{node.module}.py"))
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hf_ctxscale"):
                waiting.append(ROOT.joinpath(*node.module.split(".")).with_suffix(".py"))
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
    return names


@pytest.fixture
def running_app(tmp_path: Path, metric_folder: Path) -> Iterator[str]:
    """The address of the app, started as a Space starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "GRADIO_SERVER_PORT": str(port)}
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen([sys.executable, "app.py"], env={**os.environ, **OFFLINE, **home}, cwd=metric_folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while "Running on local URL" not in (tmp_path / "log").read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, "the app did not start within 2 minutes"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        log.close()


def test_a_started_app_answers_a_client(running_app: str, example: str, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(running_app, verbose=False, download_files=str(tmp_path))
    summary, rows, chart, bins, results = client.predict(example, None, 0.9, api_name="/compute")
    assert summary.startswith("24 blocks of 512 losses, 20 documents. **Mean loss ")
    assert rows["headers"] == ["Measure", "Value", "Interval"]
    assert len(bins["data"]) == len(results["bin_loss_nats"])
    assert (chart["type"], results["confidence"]) == ("matplotlib", 0.9)
    (tmp_path / "two.csv").write_text("a,2.0,1.0\nb,4.0,1.0\n")
    results = client.predict("", handle_file(tmp_path / "two.csv"), 0.95, api_name="/compute")[-1]
    assert results["loss_nats"] == [3.0, 1.0]
    with pytest.raises(AppError, match=r"confidence is 95; give a number between 0 and 1"):
        client.predict(example, None, 95, api_name="/compute")
