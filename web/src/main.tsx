import { render } from "preact";
import { App } from "./app";
import "./keys";
import { place } from "./route";
import "./style.css";
import { VIEWS } from "./views";

// Its code comes while it is asked who this is.
void VIEWS[place.get().view].load().catch(() => undefined);

const host = document.getElementById("app");
if (host) render(<App />, host);
