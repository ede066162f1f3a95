"""How figures are drawn: style, panels, and the figures of a sweep and of a surgery."""
