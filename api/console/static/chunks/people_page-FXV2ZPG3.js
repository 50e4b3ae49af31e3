import{g as o,h as e}from"./chunk-RRLWO6SL.js";import"./chunk-VC46IEJQ.js";function r(){return e("h1",{children:o.pages.people})}export{r as PeoplePage};
