"""The compatibility table: each generation of AILoop, each Python and each library's oldest and newest, from a run."""
