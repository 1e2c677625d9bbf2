"""The widgets: each shows a view, reports intent by signals, and owns no truth."""
