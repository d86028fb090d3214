"""From a rule set and facts to a decision."""
