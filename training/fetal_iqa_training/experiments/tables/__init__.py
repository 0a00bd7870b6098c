"""The paper's tables of systems: plan, runs, cost, results."""
