-- Put the small files of daily_summary together, and leave out the rows its MERGEs marked as deleted.
-- Grain: none.
-- Source: daily_summary.
-- Cost: curated, the files that are small or have deleted rows; a reader sees the same rows before, during and after.
-- Rerun: any number of times; when nothing is small it does nothing.
-- Generated: by `make sql` from daily_summary/table.yaml; change it there.
OPTIMIZE daily_summary REWRITE DATA USING BIN_PACK
