"""draw_thumbnail: the picture that stands for the Space where its address is shared: both charts of the figure, beside each other."""

from io import BytesIO

import matplotlib.style

from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.draw import OPTIONS
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.study_charts import study_charts
from hf_ctxscale.charts.style import STYLE
from hf_ctxscale.study import Study, UserError

NAME = "thumbnail.png"
CHARTS = ("loss_vs_parameters", "loss_vs_position")
SIZE_PIXELS = (1200, 630)  # what pages that show shared addresses ask for
DPI = 110  # at which its text can still be read where it is shown at half its size


def draw_thumbnail(study: Study, *, title: str) -> bytes:
    """A PNG of 1200 x 630 pixels; the same results give the same bytes.

    Raises:
        UserError: the study has neither of the two charts.
    """
    charts = study_charts(study)
    panels = tuple(panel for name in CHARTS if name in charts for panel in charts[name].panels)
    if not panels:
        raise UserError(f"{str(study.folder)!r} has no chart of trained models to make a thumbnail of; name a study with finished runs.")
    drawn = BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        figure = draw_chart(Chart(name="thumbnail", title=title, subtitle="", panels=panels, beside=True))
        figure.set_size_inches((SIZE_PIXELS[0] / DPI, SIZE_PIXELS[1] / DPI))
        figure.savefig(drawn, format="png", **OPTIONS["png"] | {"dpi": DPI})
    return drawn.getvalue()
