"""How reports write the parts of a law: its forms, its parameters and what it is a law of."""

# Forms as a paper writes them, with whose they are.
FORMS = {
    "(N_c/N)^alpha": "L(N) = (N_c/N)^α (Kaplan et al. 2020; linear in logs)",
    "E + A*N^-alpha": "L(N) = E + A·N^−α",
    "E + A*N^-alpha + B*D^-beta": "L(N, D) = E + A·N^−α + B·D^−β (Hoffmann et al. 2022, approach 3)",
    "[(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D": "L(N, D) = [(N_c/N)^(α_N/α_D) + D_c/D]^α_D (Kaplan et al. 2020)",
    "L_inf + A*t^-alpha": "L(t) = L_inf + A·t^−α",
}
# As the fits' forms write them; other names stand for themselves.
PARAMETERS = {
    "n_c": "N_c",
    "d_c": "D_c",
    "l_inf": "L_inf",
    "e": "E",
    "a": "A",
    "b": "B",
    "alpha_n": "alpha_N",
    "alpha_d": "alpha_D",
}
# The x axes of fits and crossovers.
AXES = {
    "body_params": "body parameters",
    "total_params": "total parameters",
    "train_flops": "training FLOPs",
    "train_seconds": "training seconds",
}
