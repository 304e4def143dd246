/** By the end of the name, the longest first; what a viewer of JupyterLab opens and what data sets are made of. */
const mediaTypes: readonly (readonly [string, string])[] = [
  ['.nii.gz', 'application/x-nifti-gz'],
  ['.nii', 'application/x-nifti'],
  ['.dcm', 'application/dicom'],
  ['.ipynb', 'application/x-ipynb+json'],
  ['.vl.json', 'application/vnd.vegalite.v5+json'],
  ['.geojson', 'application/geo+json'],
  ['.json', 'application/json'],
  ['.jsonl', 'application/jsonl'],
  ['.csv', 'text/csv'],
  ['.tsv', 'text/tab-separated-values'],
  ['.txt', 'text/plain'],
  ['.log', 'text/plain'],
  ['.md', 'text/markdown'],
  ['.html', 'text/html'],
  ['.xml', 'application/xml'],
  ['.yaml', 'application/yaml'],
  ['.yml', 'application/yaml'],
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.gif', 'image/gif'],
  ['.webp', 'image/webp'],
  ['.svg', 'image/svg+xml'],
  ['.tif', 'image/tiff'],
  ['.tiff', 'image/tiff'],
  ['.pdf', 'application/pdf'],
  ['.parquet', 'application/vnd.apache.parquet'],
  ['.wav', 'audio/wav'],
  ['.mp4', 'video/mp4'],
  ['.zip', 'application/zip'],
  ['.gz', 'application/gzip'],
  ['.h5', 'application/x-hdf5'],
  ['.hdf5', 'application/x-hdf5'],
  ['.nc', 'application/x-netcdf']
];

/** The media type that a file name says; bytes of no known kind where it says none. */
export function mediaTypeOf(path: string): string {
  const name = path.toLowerCase();
  return mediaTypes.find(([ending]) => name.endsWith(ending))?.[1] ?? 'application/octet-stream';
}
