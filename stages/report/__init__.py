"""What came out: intervals, and one table over several runs."""
