// Starts the viewer of the API, and mends what assistive technology could not read in it.
(() => {
  const place = document.getElementById("reference");

  // The viewer has a dark scheme but does not ask which one is preferred.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", followScheme);
  followScheme();

  const accessible = ({ React }) => ({
    components: {
      // A link in the button that opens an operation could not be reached; the button changes the
      // address by itself.
      DeepLink: ({ text }) => React.createElement("span", null, text),
    },
    wrapComponents: {
      // Between the title and the names of the plugins a level of headings was missing.
      operations: (Operations) => (properties) =>
        React.createElement(
          React.Fragment,
          null,
          React.createElement("h2", { className: "unseen" }, "Operations"),
          React.createElement(Operations, properties),
        ),
    },
  });

  // What the viewer leaves without a role or a name, by selector.
  const attributes = {
    ".information-container": { role: "region", "aria-label": "About this API" },
    ".schemes-server-container": { role: "region", "aria-label": "Server and authorization" },
    ".auth-wrapper": { role: "region", "aria-label": "Authorization" },
    ".filter-container": { role: "search", "aria-label": "Operations" },
    ".dialog-ux": { role: "dialog", "aria-modal": "true", "aria-label": "Authorization" },
    ".modal-ux-header h3": { "aria-level": "2" },
    ".auth-container h4": { "aria-level": "3" },
    ".auth-container h6": { "aria-level": "4" },
    ".close-modal": { "aria-label": "Close" },
    "#servers": { "aria-label": "Server" },
    pre: { tabindex: "0" },
  };

  const mend = () => {
    for (const [selector, values] of Object.entries(attributes)) {
      for (const element of place.querySelectorAll(selector)) {
        for (const [name, value] of Object.entries(values)) {
          element.setAttribute(name, value);
        }
      }
    }
    for (const table of place.querySelectorAll(".responses-table[role=region]")) {
      table.setAttribute("aria-label", table.id.replaceAll("_", " ").trim());
    }
    // These name themselves differently from what stands on them.
    for (const button of place.querySelectorAll(".auth-btn-wrapper button[aria-label]")) {
      button.removeAttribute("aria-label");
    }
    const nameless = "select:not([aria-label]), textarea:not([aria-label]), input:not([aria-label])";
    for (const field of place.querySelectorAll(nameless)) {
      const named = [...(field.labels ?? [])].some((label) => label.textContent.trim());
      if (!named) {
        const row = field.closest("tr");
        field.setAttribute("aria-label", row?.dataset.paramName || field.placeholder || "Value");
      }
    }
  };
  new MutationObserver(mend).observe(place, { childList: true, subtree: true });

  SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    plugins: [accessible],
    deepLinking: true,
    filter: true,
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    persistAuthorization: false,
    // The viewer would ask a service elsewhere whether the document is valid.
    validatorUrl: null,
  });
})();
