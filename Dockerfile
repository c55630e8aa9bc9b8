# The sample application, as one node of a cluster: docker build -t foundation-app .
FROM node:22-slim AS build
WORKDIR /app
# The manifests first, so that a change of the sources does not install everything again. No package needs its scripts.
COPY package.json package-lock.json ./
COPY libs/foundation/package.json libs/foundation/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --ignore-scripts --omit=dev --omit=optional --omit=peer --no-audit --no-fund

FROM node:22-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules/
# Where node_modules/nestjs-foundation leads to: the package as it is published.
COPY --from=build /app/dist/libs/foundation libs/foundation/
COPY --from=build /app/dist/sample-app/src dist/sample-app/src/
# By number, because Kubernetes cannot tell that a name is not root.
USER 1000:1000
EXPOSE 3000
# Whether this process answers. How the cluster is must end no process.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["node", "-e", "\
  fetch('http://127.0.0.1:' + (process.env.PORT ?? 3000) + '/health/live') \
    .then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Not npm start: npm would be process 1, and SIGTERM has to reach the application, which then hands over what it owns.
CMD ["node", "dist/sample-app/src/main.js"]
