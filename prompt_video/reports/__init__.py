"""Everything that is written for people about runs: figures, pages, comparisons, dashboards."""
