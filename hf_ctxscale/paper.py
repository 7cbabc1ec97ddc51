"""What Kaplan et al. 2020 (arXiv:2001.08361) report, as constants: exponents, curves over position, and points read off figure 7."""

from dataclasses import dataclass

# L(N) = (N_c / N)^alpha_N, section 1.2; L(N, D) in its joint form, section 4.
ALPHA_N = 0.076
N_C = 8.8e13
JOINT = {"alpha_n": 0.076, "alpha_d": 0.103, "n_c": 6.4e13, "d_c": 1.8e13}


@dataclass(frozen=True)
class PositionCurve:
    """Loss at position t = l_inf + a·t^-alpha, in nats."""

    l_inf: float
    a: float
    alpha: float


# Appendix D.5, figure 20: six Transformers, smallest first. The sizes appear only on a colour bar from 1e6 to 1e8 parameters.
POSITION_CURVES = (
    PositionCurve(4.0, 3.2, 0.47),
    PositionCurve(3.4, 4.0, 0.56),
    PositionCurve(2.9, 4.5, 0.56),
    PositionCurve(2.7, 4.9, 0.60),
    PositionCurve(2.4, 5.1, 0.61),
    PositionCurve(2.3, 5.4, 0.62),
)

# Points read off figure 7 by eye: approximate, and to be labelled so wherever they are drawn.
APPROXIMATE = "Kaplan et al. 2020, figure 7, read off by eye (approximate)"
# Left chart: body parameters and test loss in nats, by family and number of layers (None: the Transformers, of all depths).
FIGURE_7_LEFT: dict[tuple[str, int | None], tuple[tuple[float, float], ...]] = {
    ("LSTM", 1): ((1e7, 4.0),),
    ("LSTM", 2): ((1e7, 3.8),),
    ("LSTM", 4): ((1e7, 3.6),),
    ("Transformer", None): ((1e9, 2.4),),
}
# Right chart: token index in context and test loss in nats, by the legend's size.
FIGURE_7_RIGHT: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {
    ("LSTM", "400K"): ((50.0, 5.5), (1000.0, 5.5)),
    ("Transformer", "200M"): ((1000.0, 3.0),),
    ("Transformer", "300M"): ((10.0, 4.5), (1000.0, 2.5)),
}
