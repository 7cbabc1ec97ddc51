"""The study's charts, one family of charts per file; they draw what the tables hold and compute nothing."""
