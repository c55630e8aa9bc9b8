/* eslint-disable imports/imports -- of two styles the later one wins */
import DefaultTheme from 'vitepress/theme';
import { h } from 'vue';
import AsMarkdown from './AsMarkdown.vue';
import './style.css';

export default {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'doc-footer-before': () => h(AsMarkdown) }),
};
