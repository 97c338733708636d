/** Stands for xmlbuilder2, which vtk.js imports and the console never calls. */
function absent() {
  throw new Error('XML is not read in the console');
}
export const create = absent;
export const convert = absent;
export default { create, convert };
