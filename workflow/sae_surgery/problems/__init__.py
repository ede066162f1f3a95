"""The problems: what is drawn, and how; today the paper's, y = A z."""
