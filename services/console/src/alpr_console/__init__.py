"""The web console for officers, dispatch, supervisors and administrators."""
