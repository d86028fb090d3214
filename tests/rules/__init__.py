"""Rules: what expressions mean, how a decision is made, and what holds it up."""
