"""Which plates were seen together with one: asked only with a supervisor's approval."""
