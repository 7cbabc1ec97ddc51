"""Writes the learning-rate trials of a study as a table, and says for each family, depth and size which one was best.

``python benchmarks/learning_rates.py STUDY TABLE.csv``
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study


def main(study_folder: str, table_file: str) -> None:
    """Reads the records of a study and writes one row per trial."""
    groups: dict[tuple[str, int, int], list[RunRecord]] = defaultdict(list)
    for record in Study(Path(study_folder)).run_records():
        groups[record.architecture, record.num_layers, record.target_body_params].append(record)
    with Path(table_file).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["architecture", "num_layers", "body_params", "train_tokens", "learning_rate", "validation_loss_nats", "state", "best"]
        )
        for (architecture, num_layers, size), records in sorted(groups.items()):
            records.sort(key=lambda record: record.learning_rate)
            finished = [record for record in records if record.validation_loss_nats is not None]
            best = min(finished, key=lambda record: record.validation_loss_nats or 0.0) if finished else None
            for record in records:
                loss = "" if record.validation_loss_nats is None else f"{record.validation_loss_nats:.4f}"
                row = [architecture, num_layers, record.params.body, record.train_tokens, record.learning_rate, loss, record.state]
                writer.writerow([*row, "best" if record is best else ""])
            if best is not None:
                interior = best not in (records[0], records[-1])
                where = "interior" if interior else "AT THE EDGE: extend the grid"
                print(f"{architecture:>6} {num_layers} layer(s) {size:>8,}: {best.learning_rate:g} of {len(records)} trials, {where}")


if __name__ == "__main__":
    main(*sys.argv[1:])
