"""The only room that imports Airflow: what DAGs and plugins call."""
