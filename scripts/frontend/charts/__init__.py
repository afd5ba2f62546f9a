"""Result files as charts."""

from frontend.charts import config_folder

config_folder.prepare()
