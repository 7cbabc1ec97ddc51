"""CITATIONS: the works that a methods paragraph may name, each as it stands in the text and as BibTeX."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Citation:
    """One work. ``entry`` is BibTeX; ``{version}`` in it is filled in."""

    in_text: str
    entry: str


CITATIONS = {
    "hf_ctxscale": Citation(
        "hf-ctxscale",
        """@software{hf_ctxscale,
  title   = {{hf-ctxscale}: How well does a language model use its context, and how does that change with scale and architecture?},
  version = {VERSION}
}""",
    ),
    "kaplan2020": Citation(
        "Kaplan et al. 2020",
        """@article{kaplan2020,
  title   = {Scaling Laws for Neural Language Models},
  author  = {Kaplan, Jared and McCandlish, Sam and Henighan, Tom and Brown, Tom B. and Chess, Benjamin and Child, Rewon and Gray, Scott and
             Radford, Alec and Wu, Jeffrey and Amodei, Dario},
  journal = {arXiv preprint arXiv:2001.08361},
  year    = {2020}
}""",
    ),
    "hoffmann2022": Citation(
        "Hoffmann et al. 2022",
        """@article{hoffmann2022,
  title   = {Training Compute-Optimal Large Language Models},
  author  = {Hoffmann, Jordan and Borgeaud, Sebastian and Mensch, Arthur and others},
  journal = {arXiv preprint arXiv:2203.15556},
  year    = {2022}
}""",
    ),
    "besiroglu2024": Citation(
        "Besiroglu et al. 2024",
        """@article{besiroglu2024,
  title   = {Chinchilla Scaling: A Replication Attempt},
  author  = {Besiroglu, Tamay and Erdil, Ege and Barnett, Matthew and You, Josh},
  journal = {arXiv preprint arXiv:2404.10102},
  year    = {2024}
}""",
    ),
    "holm1979": Citation(
        "Holm 1979",
        """@article{holm1979,
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  author  = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6},
  number  = {2},
  pages   = {65--70},
  year    = {1979}
}""",
    ),
    "nadeau2003": Citation(
        "Nadeau and Bengio 2003",
        """@article{nadeau2003,
  title   = {Inference for the Generalization Error},
  author  = {Nadeau, Claude and Bengio, Yoshua},
  journal = {Machine Learning},
  volume  = {52},
  number  = {3},
  pages   = {239--281},
  year    = {2003}
}""",
    ),
    "schaefer2005": Citation(
        "Schäfer and Strimmer 2005",
        """@article{schaefer2005,
  title   = {A Shrinkage Approach to Large-Scale Covariance Matrix Estimation and Implications for Functional Genomics},
  author  = {Sch{\\"a}fer, Juliane and Strimmer, Korbinian},
  journal = {Statistical Applications in Genetics and Molecular Biology},
  volume  = {4},
  number  = {1},
  pages   = {Article 32},
  year    = {2005}
}""",
    ),
    "olsson2022": Citation(
        "Olsson et al. 2022",
        """@article{olsson2022,
  title   = {In-context Learning and Induction Heads},
  author  = {Olsson, Catherine and Elhage, Nelson and Nanda, Neel and others},
  journal = {arXiv preprint arXiv:2209.11895},
  year    = {2022}
}""",
    ),
}


def bibtex(text: str, *, version: str) -> str:
    """The entries of the software and of every work that a text names, in the order in which it names them."""
    named = sorted((text.index(work.in_text), key) for key, work in CITATIONS.items() if work.in_text in text)
    return "\n\n".join(CITATIONS[key].entry.replace("VERSION", version) for _, key in named)
