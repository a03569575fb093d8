"""Supervisors' approvals of searches that need one."""
