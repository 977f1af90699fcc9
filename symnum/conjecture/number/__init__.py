"""What is this number? Relations, closed forms and equations behind its digits."""
