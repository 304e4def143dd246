import { LabIcon } from '@jupyterlab/ui-components';

// Two groups: Lab recolours both `fill` and `stroke` of a `jp-icon3` element, so "no fill" must stand on its parent.
function lines(name: string, body: string): LabIcon {
  return new LabIcon({
    name: `labscale:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24" fill="none"><g class="jp-icon3" stroke="#616161" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${body}</g></svg>`
  });
}

function solid(name: string, body: string): LabIcon {
  return new LabIcon({
    name: `labscale:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161">${body}</g></svg>`
  });
}

/** One cell that becomes many: the mark of Labscale. */
export const labscaleIcon = solid(
  'labscale',
  '<rect x="3" y="3" width="8" height="8" rx="1.5"/><rect x="13" y="3" width="3.5" height="3.5" rx=".8"/><rect x="17.5" y="3" width="3.5" height="3.5" rx=".8"/><rect x="13" y="7.5" width="3.5" height="3.5" rx=".8"/><rect x="17.5" y="7.5" width="3.5" height="3.5" rx=".8"/><rect x="3" y="13" width="3.5" height="3.5" rx=".8"/><rect x="7.5" y="13" width="3.5" height="3.5" rx=".8"/><rect x="3" y="17.5" width="3.5" height="3.5" rx=".8"/><rect x="7.5" y="17.5" width="3.5" height="3.5" rx=".8"/><rect x="13" y="13" width="3.5" height="3.5" rx=".8"/><rect x="17.5" y="13" width="3.5" height="3.5" rx=".8"/><rect x="13" y="17.5" width="3.5" height="3.5" rx=".8"/><rect x="17.5" y="17.5" width="3.5" height="3.5" rx=".8"/>'
);
export const datasetIcon = lines(
  'dataset',
  '<ellipse cx="12" cy="5.5" rx="7.5" ry="2.8"/><path d="M4.5 5.5v13c0 1.6 3.4 2.8 7.5 2.8s7.5-1.2 7.5-2.8v-13M4.5 12c0 1.6 3.4 2.8 7.5 2.8s7.5-1.2 7.5-2.8"/>'
);
export const versionIcon = lines('version', '<circle cx="12" cy="12" r="3.5"/><path d="M12 3v5.5M12 15.5V21"/>');
export const shardIcon = lines('shard', '<path d="M6 3h8l4 4v14H6zM14 3v4h4"/>');
export const queryIcon = lines('query', '<path d="M4 5h16l-6.2 7.3V19l-3.6-2v-4.7z"/>');
export const snippetIcon = lines(
  'snippet',
  '<circle cx="6" cy="6.5" r="2.5"/><circle cx="6" cy="17.5" r="2.5"/><path d="M8.2 8 20 17M8.2 16 20 7"/>'
);
export const parametersIcon = lines(
  'parameters',
  '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>'
);
export const promoteIcon = lines('promote', '<path d="M12 20V9M7 13l5-5 5 5M5 4h14"/>');
export const analysisIcon = lines(
  'analysis',
  '<rect x="4" y="3" width="16" height="18" rx="1.5"/><path d="M8 3v18M12 8h4.5M12 12h4.5"/>'
);
export const runIcon = lines('run', '<path d="M8 5v14l11-7z"/>');
export const lineageIcon = lines(
  'lineage',
  '<circle cx="5" cy="6" r="2.2"/><circle cx="5" cy="18" r="2.2"/><circle cx="19" cy="12" r="2.2"/><path d="M7.2 6H10c3 0 3 6 6.8 6M7.2 18H10c3 0 3-6 6.8-6"/>'
);
export const derivativeIcon = lines(
  'derivative',
  '<rect x="3" y="8" width="8" height="8" rx="1.5"/><path d="M11 12h9M16 8l4 4-4 4"/>'
);
export const compareIcon = lines(
  'compare',
  '<rect x="4" y="4" width="6" height="16" rx="1"/><rect x="14" y="4" width="6" height="16" rx="1"/>'
);
export const forkIcon = lines(
  'fork',
  '<circle cx="6" cy="5" r="2"/><circle cx="18" cy="5" r="2"/><circle cx="12" cy="19" r="2"/><path d="M6 7v2c0 3 6 3 6 5v3M18 7v2c0 3-6 3-6 5"/>'
);
export const starIcon = lines('star', '<path d="m12 4 2.5 5.1 5.6.8-4 4 .9 5.6-5-2.7-5 2.7.9-5.6-4-4 5.6-.8z"/>');
export const starFilledIcon = solid(
  'star-filled',
  '<path d="m12 3.5 2.7 5.4 5.9.9-4.3 4.1 1 5.9-5.3-2.8-5.3 2.8 1-5.9-4.3-4.1 5.9-.9z"/>'
);
export const folderPlusIcon = lines('folder-plus', '<path d="M3 6h6l2 2.5h10V19H3zM12 11v5M9.5 13.5h5"/>');
