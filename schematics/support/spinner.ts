/** In the place of `ora`, which the devkit requires for the installation of packages, and Jest cannot require. */
export default function spinner(): never {
  throw new Error('A test of the schematics would install packages');
}
