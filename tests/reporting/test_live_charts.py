"""Live charts: what a page carries for them."""

import base64
import gzip
import hashlib
import json
import re

from plotly.offline import get_plotlyjs

from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Panel
from hf_ctxscale.charts.plotly_chart import plotly_figure
from hf_ctxscale.reporting.live_charts import live_scripts, packed_figure

ATTACK = "</script><script>alert(1)</script><!--"


def test_only_the_two_scripts_of_the_page_may_run() -> None:
    scripts = live_scripts()
    unpacked = gzip.decompress(base64.b64decode(scripts.packed)).decode()
    assert unpacked == get_plotlyjs()
    hashes = re.findall(r"'sha256-([^']+)'", scripts.policy)
    assert hashes == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (str(scripts.loader), unpacked)]
    assert "unsafe-eval" not in scripts.policy
    assert re.search(r"script-src [^;]*unsafe-inline", scripts.policy) is None


def test_the_loader_cannot_end_its_element_and_asks_no_one() -> None:
    loader = str(live_scripts().loader)
    assert "</" not in loader
    assert not re.search(r"fetch|http|import\(|XMLHttpRequest", loader)


def test_packing_gives_the_same_bytes_every_time() -> None:
    assert live_scripts() == live_scripts()


def test_a_figure_comes_out_as_it_went_in_and_cannot_end_its_element() -> None:
    line = Line((1.0, 2.0), (3.0, 4.0), "#000000", name=ATTACK, label=ATTACK, hover=(ATTACK, ATTACK))
    chart = Chart("name", ATTACK, ATTACK, (Panel(Axis(ATTACK), Axis("y"), (line,)),))
    packed = packed_figure(chart)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed)
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == json.loads(plotly_figure(chart).to_json())
