-- Put the small files of anomalies together, and leave out the rows its MERGEs marked as deleted.
-- Grain: none.
-- Source: anomalies.
-- Cost: curated, the files that are small or have deleted rows; a reader sees the same rows before, during and after.
-- Rerun: any number of times; when nothing is small it does nothing.
-- Generated: by `make sql` from anomalies/table.yaml; change it there.
OPTIMIZE anomalies REWRITE DATA USING BIN_PACK
