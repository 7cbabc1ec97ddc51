"""Live charts of a page that needs nothing beside it: figures and plotly.js packed into the page, and the policy that lets only these scripts run."""

import base64
import gzip
import hashlib
from dataclasses import dataclass

from markupsafe import Markup

from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.plotly_chart import plotly_figure
from hf_ctxscale.reporting.render import TEMPLATES


@dataclass(frozen=True)
class LiveScripts:
    """What a page of live charts holds once.

    Attributes:
        loader: the script that unpacks plotly.js when a chart comes into view, and draws it there in place of the still one.
        packed: plotly.js, as ``packed`` makes it.
        policy: of the page's content security: no network, and no script but these two, known by their hashes.
    """

    loader: Markup
    packed: str
    policy: str


def live_scripts() -> LiveScripts:
    """The scripts, the same for every page written with one version of plotly."""
    # plotly is slow to import, and a report of a study without charts needs none of it.
    from plotly.offline import get_plotlyjs

    loader, plotly = (TEMPLATES / "report.js").read_text(encoding="utf-8"), get_plotlyjs()
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in (loader, plotly))
    # Images are what plotly makes of a chart that a reader saves.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {hashes}"
    return LiveScripts(Markup(loader), packed(plotly), policy)


def packed_figure(chart: Chart) -> str:
    """The chart's plotly figure as JSON, packed."""
    return packed(plotly_figure(chart).to_json(validate=False))


def packed(text: str) -> str:
    """A text gzipped, in base64: a third of its size or less, and nothing in it can end the element of a page that holds it."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
