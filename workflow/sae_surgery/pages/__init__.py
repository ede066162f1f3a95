"""What is written about a run's tables: verdict, claims, comparison, numbers to quote."""
