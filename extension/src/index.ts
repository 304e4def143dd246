import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { comparePlugin } from './compare/compare-plugin';
import { datasetPlugin } from './datasets/dataset-plugin';
import { lineagePlugin } from './lineage/lineage-plugin';
import { objectPlugin } from './objects/object-plugin';
import { parameterPlugin } from './parameters/parameter-plugin';
import { runPlugin } from './runs/run-plugin';
import { servicePlugin } from './service/service-plugin';
import { sidebarPlugin } from './sidebar/sidebar-plugin';
import { tourPlugin } from './tour/tour-plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  servicePlugin,
  sidebarPlugin,
  objectPlugin,
  datasetPlugin,
  lineagePlugin,
  parameterPlugin,
  runPlugin,
  comparePlugin,
  tourPlugin
];
export default plugins;
