"""The way into a run: one page with its verdict, claims, comparison, figures and how it went."""
