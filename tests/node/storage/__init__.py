"""Tests of the node's storage: one contract suite over every back end, and disks that lie, tear and fill up."""
