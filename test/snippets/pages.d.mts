export interface Fence {
  page: string;
  line: number;
  language: string;
  words: string[];
  isHidden: boolean;
  text: string;
}
export const ROOT: string;
/** The texts by which people learn Foundation: their paths from the root, with slashes. */
export function pagePaths(root?: string): string[];
/** Every fence of every page, the hidden ones included. */
export function fencesOfPages(root?: string): Fence[];
/** The fences of one page, in order. */
export function fencesOf(page: string, markdown: string): Fence[];
/** `page:line`. */
export function placeOf(fence: Pick<Fence, 'page' | 'line'>): string;
