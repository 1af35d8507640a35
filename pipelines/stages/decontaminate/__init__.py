"""The stage `decontaminate`: removes or masks the texts of evaluation sets in documents."""
