"""Links customers to the platform's profiles by named rules."""
