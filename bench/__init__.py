"""What the wall costs, measured against hand-written predicates and against the untouched application."""
