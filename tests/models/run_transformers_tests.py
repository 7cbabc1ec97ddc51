"""Runs transformers' own model and configuration tests, of the installed version, over the LSTM, and says why each skipped one is skipped.

``python tests/models/run_transformers_tests.py [--sdist FOLDER]``

The tests are not in transformers' wheel, only in its sdist on PyPI: that is downloaded, and nothing of it is kept in this repository.
The sdist holds a part of ``tests/``; what the two files we need import beyond it is replaced by STUBS. A skip that EXPECTED_SKIPS does not
name is a failure here, as is a run with fewer passed tests than MIN_PASSED.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

SUITE = Path(__file__).with_name("transformers_suite.py")
REPOSITORY = Path(__file__).parents[2]

# In each of the suite's two classes 74 pass with transformers 5.23; far fewer would mean that the mixin was not really run.
MIN_PASSED = 140

NO_ATTENTION = "An LSTM has no attention, so there are no attention weights, implementations, windows or masks to compare."
NO_ROTARY = "An LSTM reads positions in their order and has no position embeddings, rotary or learned, to scale or resize."
NO_EXPERTS = "An LSTM has no experts and no router."
ONE_CONFIG = "LSTMConfig holds no other config: this is for models composed of several."
ONE_DEVICE_PLAN = "The LSTM is split neither over devices nor by a tensor-parallel plan, so there is no plan to check."
NO_CONVERSION = "The LSTM's checkpoints are saved under the names of its modules, with no conversion between the two."
NO_FLOAT32_PARTS = "No module of the LSTM has to stay in float32 when the rest is loaded in half precision."
NO_HOOKS = "The LSTM's layers are one module, for the fused kernel: no hook can record their outputs, and the model gathers them itself."
NEEDS_ACCELERATOR = "It needs a GPU or another accelerator, to load, compile, offload or split a model."
NEEDS_DEEPSPEED = "It needs DeepSpeed, which shards a model over several GPUs."
NOT_IN_SDIST = "transformers' sdist does not hold these tests, so a stub stands for them."

# Names of tests, as shell patterns, and why they may be skipped; the first pattern that fits counts.
EXPECTED_SKIPS: dict[str, str] = {
    "test_attention_outputs": NO_ATTENTION,
    "test_attn_implementation_composite_models": NO_ATTENTION,
    "test_can_set_attention_dynamically*": NO_ATTENTION,
    "test_eager_matches_sdpa_inference*": NO_ATTENTION,
    "test_flash_attn_*": NO_ATTENTION,
    "test_flex_attention_with_grads": NO_ATTENTION,
    "test_sdpa_can_*": NO_ATTENTION,
    "test_sliding_window_mask": NO_ATTENTION,
    "test_model_rope_*": NO_ROTARY,
    "test_resize_position_vector_embeddings": NO_ROTARY,
    "test_vision_axial_rope": NO_ROTARY,
    "test_eager_matches_batched_and_grouped_inference*": NO_EXPERTS,
    "test_moe_models_record_router_logits": NO_EXPERTS,
    "test_output_router_logits_from_config": NO_EXPERTS,
    "test_internal_model_config_and_subconfig_are_same": ONE_CONFIG,
    "test_tied_head_has_a_tp_plan_entry": ONE_DEVICE_PLAN,
    "test_tp_plan_matches_params": ONE_DEVICE_PLAN,
    "test_can_load_from_already_mapped_keys": NO_CONVERSION,
    "test_reverse_loading_mapping": NO_CONVERSION,
    "test_keep_in_fp32_modules*": NO_FLOAT32_PARTS,
    "test_can_capture_specific_layers_hidden_states": NO_HOOKS,
    "test_capture_outputs_decorator": NO_HOOKS,
    "test_can_load_with_device_context_manager": NEEDS_ACCELERATOR,
    "test_can_load_with_global_device_set": NEEDS_ACCELERATOR,
    "test_cpu_offload": NEEDS_ACCELERATOR,
    "test_disk_offload_*": NEEDS_ACCELERATOR,
    "test_kernels_can_load_without_crashing": NEEDS_ACCELERATOR,
    "test_model_parallelism": NEEDS_ACCELERATOR,
    "test_torch_compile_for_training": NEEDS_ACCELERATOR,
    "test_resize_*_with_deepspeed*": NEEDS_DEEPSPEED,
    "test_encoder_decoder_loss_no_double_shift": "An LSTM language model has no encoder.",
    "test_export_of_transformers": NOT_IN_SDIST,
    "test_generation_of_transformers": NOT_IN_SDIST,
}

# What the sdist's tests import and the sdist lacks. A stub of tests is one skipped test, so that what is missing shows in the list of skips.
STUBS: dict[str, str] = {
    "exporters/test_export.py": (
        "class ExportTesterMixin:\n"
        "    def test_export_of_transformers(self):\n"
        "        self.skipTest('tests/exporters/test_export.py is not in the sdist')\n"
    ),
    "generation/test_utils.py": (
        "class GenerationTesterMixin:\n"
        "    def test_generation_of_transformers(self):\n"
        "        self.skipTest('tests/generation/test_utils.py is not in the sdist')\n"
    ),
    # Fields that every config takes, each with a value that is not its default.
    "utils/test_configuration_utils.py": (
        "config_common_kwargs = {\n"
        "    'architectures': ['LSTMForCausalLM'], 'chunk_size_feed_forward': 5, 'dtype': 'float16', 'problem_type': 'regression',\n"
        "    'id2label': {0: 'label'}, 'label2id': {'label': 0},\n"
        "    'output_attentions': True, 'output_hidden_states': True, 'return_dict': False,\n"
        "}\n"
    ),
}


@dataclass
class Outcome:
    """What became of a test: failed, if it or a subtest of it did; else skipped, if it or a subtest of it was; else passed."""

    state: str
    reasons: tuple[str, ...]


def find_sdist(folder: Path) -> Path:
    """The installed transformers version's sdist in a folder, downloaded if it is not there.

    Raises:
        SystemExit: pip could not download it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = version("transformers")
    sdist = folder / f"transformers-{wanted}.tar.gz"
    if not sdist.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        sdist_alone = ["--no-deps", "--no-binary", "transformers", "--dest", str(folder), f"transformers=={wanted}"]
        download = subprocess.run([*pip, *sdist_alone], stderr=subprocess.PIPE, text=True, check=False)
        if not sdist.exists():
            said = (download.stderr.strip().splitlines() or ["nothing"])[-1]
            sys.exit(
                f"The sdist of the installed transformers {wanted} could not be downloaded (pip said: {said}); "
                f"go online, or put {sdist.name} into a folder and name it by --sdist FOLDER."
            )
    return sdist


def unpack_tests(sdist: Path, folder: Path) -> Path:
    """Unpacks the sdist's test modules, puts stubs for what they lack and our suite beside them, and gives the suite's place.

    Raises:
        SystemExit: the sdist holds no such tests.
    """
    with tarfile.open(sdist) as archive:
        modules = [member for member in archive if fnmatch(member.name, "*/tests/*.py") and "/src/" not in member.name]
        archive.extractall(folder, members=modules, filter="data")
    tests = folder / sdist.name.removesuffix(".tar.gz") / "tests"
    for name in ("test_modeling_common.py", "test_configuration_common.py"):
        if not (tests / name).exists():
            sys.exit(f"{sdist.name} has no tests/{name}; install a transformers version whose sdist has it, 5.23.0 for one.")
    for name, source in STUBS.items():
        stub = tests / name
        stub.parent.mkdir(exist_ok=True)
        if not stub.exists():
            stub.write_text(source)
    for package in (tests, *(path for path in tests.iterdir() if path.is_dir())):
        (package / "__init__.py").touch()
    return Path(shutil.copy(SUITE, tests))


def run_suite(suite: Path, junit_file: Path) -> dict[str, Outcome]:
    """Runs pytest on the suite in a process of its own, and gives the outcome of every test, by its class and name.

    Raises:
        SystemExit: pytest ended before it had run the tests.
    """
    environment = {
        # One thread, and no retries against the Hub: nothing here needs it.
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        **os.environ,
        # This checkout's package rather than an installed one.
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
    }
    # There, the package `tests` is transformers', not ours.
    root = suite.parents[1]
    pytest = [sys.executable, "-m", "pytest", "-q", "-rN", "--tb=short", "--disable-warnings", "-p", "no:cacheprovider"]
    ended = subprocess.run([*pytest, f"--rootdir={root}", f"--junitxml={junit_file}", str(suite)], cwd=root, env=environment, check=False)
    # pytest's exit codes: 0 all passed, 1 some failed; the others mean that it did not come to run the tests.
    if ended.returncode not in (0, 1):
        sys.exit(f"pytest ended with code {ended.returncode} before it had run the suite; its own message stands above.")
    return read_outcomes(junit_file)


def read_outcomes(junit_file: Path) -> dict[str, Outcome]:
    """Reads pytest's record, where a test has an element for every subtest of it that failed or was skipped."""
    outcomes = {}
    for test in ElementTree.parse(junit_file).iter("testcase"):
        tags = [element.tag for element in test]
        state = "failed" if {"failure", "error"} & set(tags) else "skipped" if "skipped" in tags else "passed"
        reasons = dict.fromkeys((element.get("message") or "no reason given").splitlines()[0] for element in test)
        outcomes[f"{test.get('classname', '').split('.')[-1]}.{test.get('name')}"] = Outcome(state, tuple(reasons))
    return outcomes


def expected_pattern(test: str) -> str | None:
    """The first pattern of EXPECTED_SKIPS that a test's name fits, or None if the test may not be skipped."""
    return next((pattern for pattern in EXPECTED_SKIPS if fnmatch(test.split(".")[-1], pattern)), None)


def print_skips(skipped: dict[str, Outcome]) -> None:
    """Prints the skipped tests grouped by our reason, with how many there are of each pattern and what transformers gives as reason."""
    groups: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for test, outcome in skipped.items():
        pattern = expected_pattern(test)
        reason = EXPECTED_SKIPS[pattern] if pattern else "UNEXPECTED: no entry of EXPECTED_SKIPS says why."
        groups[reason][pattern or test, "; ".join(outcome.reasons)] += 1
    print("\nSkipped, how often, and transformers' own reason:")
    for reason, lines in sorted(groups.items()):
        print(f"\n{lines.total():>4}  {reason}")
        for (pattern, their_reason), count in sorted(lines.items()):
            print(f"{count:>8}  {pattern}: {their_reason}")


def report(outcomes: dict[str, Outcome]) -> list[str]:
    """Prints what became of the tests, and gives what is wrong with it, a sentence each."""
    by_state: dict[str, dict[str, Outcome]] = {state: {} for state in ("passed", "failed", "skipped")}
    for test, outcome in outcomes.items():
        by_state[outcome.state][test] = outcome
    print_skips(by_state["skipped"])
    unused = set(EXPECTED_SKIPS) - {expected_pattern(test) for test in by_state["skipped"]}
    if unused:
        print(f"\nMight have been skipped, and was not here: {', '.join(sorted(unused))}.")
    counts = ", ".join(f"{len(tests)} {state}" for state, tests in by_state.items())
    print(f"\ntransformers {version('transformers')}'s tests over the LSTM: {counts}.", flush=True)

    wrong = [f"{test} failed: {'; '.join(outcome.reasons)}" for test, outcome in by_state["failed"].items()]
    wrong += [f"{test} was skipped, and no entry of EXPECTED_SKIPS says why." for test in by_state["skipped"] if not expected_pattern(test)]
    if len(by_state["passed"]) < MIN_PASSED:
        wrong.append(f"{len(by_state['passed'])} tests passed, and at least {MIN_PASSED} must, or the suite was not run as a whole.")
    return wrong


def main() -> None:
    """Runs the suite and exits with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdist", type=Path, metavar="FOLDER", help="where the downloaded sdist is kept, and taken from the next time")
    downloads: Path | None = parser.parse_args().sdist
    for package in ("accelerate", "parameterized", "pytest"):
        if importlib.util.find_spec(package) is None:
            sys.exit(f"{package} is not installed, and transformers' tests need it; run: {sys.executable} -m pip install {package}")
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        suite = unpack_tests(find_sdist(downloads or temporary), temporary)
        wrong = report(run_suite(suite, temporary / "junit.xml"))
    if wrong:
        sys.exit("\n".join(["", *wrong]))


if __name__ == "__main__":
    main()
