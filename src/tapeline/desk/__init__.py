"""The market desk: a page inside Airflow's UI that shows the market and the pipeline as they are now."""
