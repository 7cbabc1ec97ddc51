"""What the metric keeps: sums, in flat memory, and no file."""

import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np


def test_no_rows_are_kept_and_no_file_is_written(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    def num_values() -> int:
        return sum(array.size for array in vars(metric._sums).values() if isinstance(array, np.ndarray))

    metric.add_batch(predictions=losses, document_ids=ids)
    before = num_values()
    assert before > 0
    for _ in range(20):
        metric.add_batch(predictions=losses, document_ids=ids)
    assert num_values() == before
    # No attribute of the module or of its sums holds the blocks.
    for holder in (metric, metric._sums):
        for name, value in vars(holder).items():
            if isinstance(value, (list, tuple, set)) or (isinstance(value, dict) and not name.startswith("_info")):
                assert len(value) <= 7, name
    assert metric.data is None
    assert metric.writer is None
    assert not [path for path in Path(metric.data_dir).rglob("*") if path.is_file()]


def test_peak_memory_does_not_grow_with_the_number_of_batches(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    def peak_bytes(num_batches: int) -> int:
        tracemalloc.start()
        for _ in range(num_batches):
            # Fresh arrays, as of a model: what the metric holds on to stays in memory.
            metric.add_batch(predictions=losses + 1.0, document_ids=list(ids), num_bytes=np.full(losses.shape, 4))
        metric.compute()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2)  # what is loaded or cached at first use
    few, many = peak_bytes(3), peak_bytes(60)
    # One kept batch of losses alone would be 80 KB.
    assert many < few + losses.nbytes


def test_it_loads_offline_from_a_copied_folder_in_a_fresh_process(tmp_path: Path, metric_folder: Path) -> None:
    copied = shutil.copytree(metric_folder, tmp_path / "elsewhere" / "per_position_loss")
    code = f"""
import socket
def refuse(*args): raise AssertionError("the network was asked for")
socket.socket.connect = refuse
import evaluate
for folder in ({str(metric_folder)!r}, {str(copied)!r}, {str(copied / "per_position_loss.py")!r}):
    metric = evaluate.load(folder)
    print(metric.compute(predictions=[[4.0, 2.0], [2.0, 1.0]], document_ids=["a", "b"])["loss_nats"])
"""
    home = tmp_path / "home"
    offline = {"HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1", "HF_HOME": str(home), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **offline, "PYTHONPATH": str(metric_folder.parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[3.0, 1.5]"] * 3
