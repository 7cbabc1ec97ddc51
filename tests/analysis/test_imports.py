"""What analysis must never load."""

import subprocess
import sys
from pathlib import Path

import hf_ctxscale.analysis


def test_analysis_loads_no_torch_transformers_datasets_or_pandas() -> None:
    files = sorted(Path(hf_ctxscale.analysis.__path__[0]).glob("*.py"))
    assert len(files) > 5
    code = "".join(f"import hf_ctxscale.analysis.{file.stem}\n" for file in files if file.stem != "__init__")
    code += "import sys; print(sorted({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
