"""genstep in Apache Airflow: the hook, the operator, the sensor, the trigger and the task decorator.

The surface is not built yet: this distribution imports, and holds its name and its dependencies.
"""

__version__ = "0.1.0"
