"""Model folders for a synthetic study: files with the names that transformers gives them, whose weights nobody opens."""

import json
from pathlib import Path

from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study

CODE = ("configuration_lstm.py", "modeling_lstm.py")
AUTO_MAP = {"AutoConfig": "configuration_lstm.LSTMConfig", "AutoModelForCausalLM": "modeling_lstm.LSTMForCausalLM"}


def add_model(study: Study, run_id: str, *, code: bool = True) -> Path:
    """A finished run's model folder; a model of our own without ``code`` is as older versions saved it."""
    (record,) = [record for record in study.run_records() if record.run_id == run_id]
    folder = study.model_folder(run_id)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(_config(record, code=code)))
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\0" * 1000)
    for name in CODE if code and record.architecture == "lstm" else ():
        (folder / name).write_text(f"# {name}\n")
    # What has no place in a repository.
    (folder / "optimizer.pt").write_bytes(b"pickle")
    (folder / "README.md").write_text("a note to myself")
    (folder / ".hidden.json").write_text("{}")
    return folder


def _config(record: RunRecord, *, code: bool) -> dict:
    if record.architecture == "gpt2":
        return {"model_type": "gpt2", "n_positions": record.context_tokens}
    return {"model_type": "ctxscale_lstm", "hidden_size": record.hidden_size} | ({"auto_map": AUTO_MAP} if code else {})
