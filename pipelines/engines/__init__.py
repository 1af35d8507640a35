"""What runs a plan: the contract, the driver, and one module for each engine."""
