"""What the terminal says of scores."""

from pathlib import Path

from synthetic_scores import write_scored_study

from hf_ctxscale.reporting.score_lines import results_in_words


def test_each_score_has_its_result_and_how_much_of_the_text_it_rests_on(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("org/small", "org/large"), num_documents_not_shared=3)
    small, large = (f"org--{name}-score" for name in ("small", "large"))
    lines = results_in_words(study, (large, small))
    assert [line.split(":")[0] for line in lines[::2]] == ["large", "small"]
    assert "nats per token" in lines[0]
    assert "effective context 60 tokens [" in lines[0]
    assert "tokens predicted, in " in lines[1]
    assert "3 too short for another of these models" in lines[1]
