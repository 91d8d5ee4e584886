extension Backend {
    var seedRoutes: [Route] { [] }
}
