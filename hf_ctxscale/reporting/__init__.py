"""Reports on a study for people: report.html and report.md, from the study's files."""
